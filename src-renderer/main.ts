import { mount } from 'svelte'
import App from './App.svelte'
import { connect } from './api/client.ts'
import { AppState } from './state/app.svelte.ts'
import { Connection } from './state/connection.svelte.ts'
import { mountIcons } from './ui/icons.ts'
import './styles/index.css'

const target = document.getElementById('app')
if (target === null) throw new Error('index.html has no element with the id app')
mountIcons(document)
const connection = new Connection()
const app = new AppState(
  connect((state) => connection.update(state)),
  connection,
)
mount(App, { target, props: { app } })
